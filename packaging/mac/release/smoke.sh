#!/bin/sh
# Opens an app as Finder does, has it run the demo backend, asks its command line how that is, and ends it: smoke.sh APP
#
# For a computer that nobody works on: it uses that user's own state folder, because what Finder opens gets no environment from here.
# PATIENCE is how many seconds each step may take; if not set, 90.
set -eu
app=${1:?start which app?}
app=$(cd "$app" && pwd)
patience=${PATIENCE:-90}
command=$app/Contents/Helpers/vivarium
cd / # the backend is chosen by the working directory, if that is one

# within COMMAND…: until it succeeds, or the patience is at its end.
within() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		if [ "$tries" -ge "$patience" ]; then return 1; fi
		sleep 1
	done
}

healthy() { row=$("$command" status --all --json 2>/dev/null) && echo "$row" | grep -q '"state":"healthy"'; }
stopped() { ! "$command" status --all --json >/dev/null 2>&1; }
gone() { case $(ps -o stat= -p "$pid") in "" | Z*) ;; *) return 1 ;; esac; }

fail() {
	echo "smoke.sh: $1" >&2
	"$command" status --all >&2 || :
	"$command" logs >&2 || :
	"$command" stop --all >&2 || :
	exit 1
}

open -g "$app" --args --demo
within healthy || fail 'the demo backend did not become healthy'
"$command" status --all
pid=$(echo "$row" | sed -n 's/.*"held_by":\([0-9]*\).*/\1/p')
case $(ps -o command= -p "${pid:-0}") in
"$app/Contents/MacOS/Vivarium"*) ;;
*) fail "process ${pid:-0} keeps the backend, and it is not the app" ;;
esac
# What a logout does.
kill -TERM "$pid"
within gone || fail "the app, process $pid, did not end"
within stopped || fail 'the backend was left running'
echo "started, healthy, ended: $app"
