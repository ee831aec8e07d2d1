# join.sh TOTAL GOBBLE: puts the tables together; told to, its first attempt takes more memory than it has.
set -eu
total=$1 gobble=$2
echo 'begin at 0'
if [ "$gobble" = true ] && [ "$MILLRACE_ATTEMPT" = 1 ]; then
  echo gobbling
  sleep 0.2
  exec dd if=/dev/zero of=/dev/null bs=200M count=1
fi
for table in "$MILLRACE_DIR"/in/tables/*; do
  cat "$table" >>"$MILLRACE_DIR/out/model"
  echo "row $(cat "$table")"
done
echo "{\"total\":$total}" >"$MILLRACE_DIR/output.json"
echo "total $total"
