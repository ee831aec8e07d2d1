# verify.sh: adds up what the model says. Its first attempt fails by design.
set -eu
echo 'begin at 0'
if [ "$MILLRACE_ATTEMPT" = 1 ]; then
  sleep 0.5
  echo 'failing by design'
  exit 3
fi
total=0
while read -r line; do total=$((total + ${line##*: })); done <"$MILLRACE_DIR/in/model"
sleep 1
echo "{\"total\":$total}" >"$MILLRACE_DIR/output.json"
echo "checked $total"
