# shard.sh VALUES TICKS: a sum that grows with each tick; its checkpoint is where it is.
set -eu
values=$1 ticks=$2 state=$MILLRACE_DIR/checkpoint/state
tick=0 sum=0
if [ -f "$state" ]; then read -r tick sum <"$state"; fi
echo "begin at $tick"
echo "token $(cat "$MILLRACE_DIR/secrets/CHAOS_TOKEN")"
count=$(echo "$values" | wc -w)
while [ "$tick" -lt "$ticks" ]; do
  place=$((tick % count + 1))
  tick=$((tick + 1))
  value=$(echo "$values" | cut -d ' ' -f "$place")
  sum=$((sum + value * tick))
  echo "tick $tick $sum"
  echo "$tick $sum" >"$state.new"
  mv "$state.new" "$state"
  sleep 0.2
done
echo "$values: $sum" >"$MILLRACE_DIR/out/table"
echo "{\"sum\":$sum}" >"$MILLRACE_DIR/output.json"
echo "sum $sum"
