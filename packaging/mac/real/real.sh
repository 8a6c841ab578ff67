#!/bin/sh
# What only a Mac can show and a person need not be there for: real.sh APP [CHECK…]
#
# It opens an app as Finder does, with the demo backend, and asks the system about it: one line for each check, "ok", "FAIL" or "skip" with a
# reason, last "N passed, N failed, N skipped". For a Mac that nobody works on: it uses that user's own state folder and login item.
#
# EXPECT is what Gatekeeper has to say: rejected (signed ad hoc, the default) or accepted (notarised). PATIENCE is how many seconds each step
# may take; if not set, 90. CHIPS are those that the app is for, in lipo's words; if not set, both.
set -u
app=${1:?look at which app?}
app=$(cd "$app" && pwd) || exit 2
shift
here=$(cd "$(dirname "$0")" && pwd)
patience=${PATIENCE:-90}
expect=${EXPECT:-rejected}
id=io.github.vivarium-app.vivarium
main=$app/Contents/MacOS/Vivarium
command=$app/Contents/Helpers/vivarium
state="$HOME/Library/Application Support/Vivarium"
domain=gui/$(id -u)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd / || exit 2 # the backend is chosen by the working directory, if that is one

passed=0 failed=0 skipped=0
only=" $* "

# check NAME: runs the function of that name. It says on standard output why it fails; a status of 77 is a skip, with the reason likewise.
check() {
	case $only in "  " | *" $1 "*) ;; *) return ;; esac
	"$1" >"$work/said" 2>&1
	case $? in
	0)
		passed=$((passed + 1))
		echo "ok    $1"
		sed 's/^/      /' "$work/said"
		;;
	77)
		skipped=$((skipped + 1))
		echo "skip  $1: $(tail -n 1 "$work/said")"
		;;
	*)
		failed=$((failed + 1))
		echo "FAIL  $1"
		sed 's/^/      /' "$work/said"
		;;
	esac
}

skip() {
	echo "$1"
	return 77
}

# within COMMAND…: until it succeeds, or the patience is at its end.
within() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		if [ "$tries" -ge "$patience" ]; then return 1; fi
		sleep 1
	done
}

row() { "$command" status --all --json 2>/dev/null; }
number() { sed -n 's/.*"'"$1"'" *: *\(-\{0,1\}[0-9][0-9]*\).*/\1/p' | head -n 1; } # the field of that name
healthy() { row | grep -q '"state":"healthy"'; }
stopped() { ! "$command" status --all --json >/dev/null 2>&1; }
gone() { case $(ps -o stat= -p "$1") in "" | Z*) ;; *) return 1 ;; esac; }
holder() { row | number held_by; }

# server sets pid to that of the demo's server.
server() {
	pid=$(row | number pid)
	[ -n "$pid" ] || {
		echo 'there is no server'
		return 1
	}
}

signature() { "$here/../release/check.sh" "$app" ${CHIPS:-}; }

gatekeeper() {
	case $(spctl --status 2>&1) in
	*disabled*)
		skip 'Gatekeeper is switched off here, and takes everything'
		return
		;;
	esac
	if spctl --assess --type execute --verbose=2 "$app"; then got=accepted; else got=rejected; fi
	echo "Gatekeeper: $got"
	[ "$got" = "$expect" ]
}

opens() {
	open -g "$app" --args --demo || return
	within healthy || {
		echo 'the demo backend did not become healthy'
		"$command" status --all
		"$command" logs
		return 1
	}
	pid=$(holder)
	case $(ps -o command= -p "${pid:-0}") in
	"$main"*) ;;
	*)
		echo "process ${pid:-0} keeps the backend, and it is not the app"
		return 1
		;;
	esac
}

# A second one shows the first and ends; one that launchd starts says nothing.
second() {
	"$main" 2>"$work/told" || return
	grep 'already running' "$work/told" || return
	"$main" --login >"$work/told" 2>&1 || return
	[ ! -s "$work/told" ] || {
		cat "$work/told"
		return 1
	}
}

# Finder tells the one that runs.
again() {
	before=$(holder)
	open -g "$app" || return
	sleep 2
	[ -n "$before" ] && [ "$before" = "$(holder)" ]
}

# The keeper runs from its own bundle, whose signature holds where it was copied to, and launchd has no name for it.
keeper() {
	copy="$state/bin/Vivarium Keeper.app"
	codesign --verify --strict --verbose=2 "$copy" || return
	pids=$(lsof -t "$state"/b/*/lock) || return
	for pid in $pids; do
		case $(ps -o command= -p "$pid") in
		"$copy/Contents/MacOS/vivarium-keeper "*) ;;
		*)
			echo "process $pid holds a keeper's lock and is: $(ps -o command= -p "$pid")"
			return 1
			;;
		esac
		if launchctl list | grep "^${pid}[^0-9]"; then
			echo 'launchd knows the keeper'
			return 1
		fi
	done
}

# The demo's server dies by a signal. macOS writes a report on it, and the verdict is made with that.
crash() {
	server || return
	kill -SEGV "$pid" || return
	within died || {
		echo 'no crash is on record'
		return 1
	}
	within explained || {
		echo "the record has no report of macOS's in it:"
		find "$HOME/Library/Logs/DiagnosticReports" -name '*.ips' -mmin -5
		return 1
	}
	"$command" crashes --all
	within healthy
}
last() { "$command" crashes --all --json 2>/dev/null | tail -n 1; }
died() { last | grep -q '"signal":"SIGSEGV"'; }
explained() {
	record=$(last | sed -n 's/.*"record":"\([^"]*\)".*/\1/p')
	[ -n "$record" ] && grep -q '"report_file": *"[^"]*\.ips"' "$record"
}

# What we show as memory is what the system calls the footprint, to a tenth and ten megabytes.
memory() {
	ours=$(row | number footprint)
	[ -n "$ours" ] || {
		skip 'this version shows no footprint'
		return
	}
	server || return
	footprint -p "$pid" --format bytes >"$work/footprint" || return
	theirs=$(sed -n 's/.*phys_footprint: *\([0-9][0-9]*\).*/\1/p' "$work/footprint" | head -n 1)
	echo "ours $ours, macOS's ${theirs:-unknown}"
	[ -n "$theirs" ] && [ $((ours - theirs)) -le $((theirs / 10 + 10000000)) ] && [ $((theirs - ours)) -le $((theirs / 10 + 10000000)) ]
}

# On and off, by what launchd and macOS's login items say. A build that the service refuses uses a launch agent, and says so.
login() {
	"$main" --login-item status | grep '"state":-\{0,1\}[0-9]' || return
	"$command" login on || return
	state_on=$("$main" --login-item status | number state)
	agent=$HOME/Library/LaunchAgents/$id.plist
	if [ "$state_on" = 1 ]; then
		launchctl print "$domain/$id.login" | grep -e 'state = ' -e 'program = ' || return
		[ ! -e "$agent" ] || {
			echo 'two would start at login'
			return 1
		}
	else
		plutil -lint "$agent" || return
		"$main" --login-item "$agent"
	fi
	before=$(holder)
	"$command" login off || return
	[ ! -e "$agent" ] || return
	[ "$("$main" --login-item status | number state)" != 1 ] || return
	[ "$before" = "$(holder)" ] || {
		echo 'switching it off ended the app'
		return 1
	}
}

notices() {
	said=$("$main" --notices) || return
	echo "$said"
	case $said in
	'{"allowed":true}' | '{"allowed":false,"problem":"'*) ;;
	*) return 1 ;;
	esac
}

dashboard() {
	"$command" help dashboard >/dev/null 2>&1 || {
		skip 'this version has no dashboard'
		return
	}
	url=$("$command" dashboard --print) || return
	code=$(curl --silent --output "$work/page" --write-out '%{http_code}' --max-time 20 "${url%%#*}")
	echo "answered $code"
	[ "$code" = 200 ] && grep -qi '<html' "$work/page"
}

# What a logout does.
ends() {
	pid=$(holder)
	[ -n "$pid" ] || {
		echo 'there is no app'
		return 1
	}
	kill -TERM "$pid" || return
	within gone "$pid" || {
		echo "the app, process $pid, did not end"
		return 1
	}
	within stopped || {
		echo 'the backend was left running'
		return 1
	}
}

for name in signature gatekeeper opens second again keeper notices memory crash login dashboard ends; do check "$name"; done
stopped || "$command" stop --all >/dev/null 2>&1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
