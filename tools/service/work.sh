# What tools/service/run.sh has done under a systemd of its own: the unit starts and answers, is
# started again when it was killed, drains when it is stopped, and is left alone when trying again
# would change nothing. The last line is `exit status N`.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
at=http://127.0.0.1:8470
config=/etc/muster/serve.yaml
status=0

expect() {
  if [ "$2" = "$3" ]; then
    echo "ok      $1: $2"
  else
    echo "FAILED  $1: $2, and $3 was expected"
    status=1
  fi
}

show() {
  systemctl show --property "$1" --value muster
}

# Waits for a command to succeed, a minute at most.
wait_for() {
  for _ in $(seq 600); do
    "$@" && return
    sleep 0.1
  done
  return 1
}

was_restarted() {
  [ "$(show MainPID)" != 0 ] && [ "$(show MainPID)" != "$killed" ] && systemctl -q is-active muster
}

ip link set lo up
useradd --system --home-dir /var/lib/muster muster
systemd-analyze verify --man=no /etc/systemd/system/muster.service
expect 'systemd finds nothing wrong with it' $? 0
# So that the end of a wait is not what takes most of the time here.
sed -i 's/^drain: .*/drain: 3/' $config

systemctl start muster
expect 'it starts' $? 0
expect 'it is ready then' "$(curl -s $at/readyz)" '{"name":"muster","ready":true,"why":[]}'
expect 'it is healthy' "$(curl -s $at/healthz)" ok
expect 'it runs as' "$(ps -o user= -p "$(show MainPID)")" muster
expect 'it gets no new rights' "$(sed -n 's/^NoNewPrivs:\t//p' "/proc/$(show MainPID)/status")" 1
expect 'it sees the files of the system as' \
  "$(sed -n 's#^[^/]*/ / \(r[ow]\).*#\1#p' "/proc/$(show MainPID)/mountinfo" | tail -1)" ro

killed=$(show MainPID)
kill -KILL "$killed"
wait_for was_restarted
expect 'killed, it is started again' "$(show NRestarts)" 1
expect 'it is ready again' "$(curl -s -o /dev/null -w '%{http_code}' $at/readyz)" 200

muster barrier wait proof --server $at >/dev/null 2>&1 &
wait_for sh -c "curl -s '$at/v1/barriers' | grep -q '\"arrived\":1'"
began=$(date +%s)
systemctl stop muster
expect 'it is stopped' "$? $(show Result) $(show ActiveState)" '0 success inactive'
expect 'whoever waits has had the time of drain' $(($(date +%s) - began >= 3)) 1
expect 'it says so' "$(journalctl -u muster -o cat | grep -c 'waits have 3 s to end')" 1

cp $config /root/good.yaml
echo 'lissten: http' >>$config
systemctl start muster 2>/dev/null
wait_for systemctl -q is-failed muster
expect 'a wrong file is not tried again' "$(show ExecMainStatus) $(show NRestarts)" '65 0'

nats-server --jetstream --store_dir /tmp/nats --port 4333 >/tmp/nats.log 2>&1 &
sed 's#^log: .*#log: nats://127.0.0.1:4333/proof\nname: north#' /root/good.yaml >$config
wait_for grep -q 'Server is ready' /tmp/nats.log
systemctl reset-failed muster
systemctl start muster
expect 'it starts with a log on NATS' "$? $(curl -s $at/readyz)" \
  '0 {"name":"north","ready":true,"why":[]}'
muster serve --name north --state /tmp/second --listen http=127.0.0.1:8471 \
  --log nats://127.0.0.1:4333/proof >/tmp/second.log 2>&1 &
wait_for systemctl -q is-failed muster
# Longer than what it is tried again after.
sleep 4
expect 'one whose name is taken is not tried again' \
  "$(show ExecMainStatus) $(show NRestarts)" '78 0'
expect 'who has taken it goes on' "$(curl -s http://127.0.0.1:8471/readyz)" \
  '{"name":"north","ready":true,"why":[]}'

[ $status = 0 ] || journalctl -u muster -o cat
echo "exit status $status"
systemctl exit "$status"
