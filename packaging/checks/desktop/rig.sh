#!/bin/bash
# A desktop without a screen: runs COMMAND on a virtual display of its own, with a window manager, a panel that takes tray
# icons and a notification daemon, so that the real tray, its menu and its notices can be clicked, read and photographed.
#
#   packaging/checks/desktop/rig.sh go test -tags e2e ./packaging/checks/desktop
#
# COMMAND finds DISPLAY, DBUS_SESSION_BUS_ADDRESS and an empty HOME; its exit status is the rig's. Nothing is installed and
# nothing is left. RIG_SCALE=2 gives a screen of double density, for pictures.
set -u
scale=${RIG_SCALE:-1}
here=$(cd "$(dirname "$0")" && pwd)

helper() { # NAME: the first existing path among those where distributions keep Xfce's helpers
	local f
	for f in /usr/lib/*/xfce4/"$1" /usr/lib/xfce4/"$1" /usr/lib64/xfce4/"$1" /usr/libexec/xfce4/"$1"; do [ -x "$f" ] && { echo "$f"; return; }; done
}

missing=()
need() { [ -n "$(command -v "$1")" ] || missing+=("$2"); }
need Xvfb xvfb; need dbus-daemon dbus; need dbus-send dbus-bin; need xfwm4 xfwm4; need xfce4-panel xfce4-panel
need xdotool xdotool; need xclip xclip; need import imagemagick; need display imagemagick; need xsetroot x11-xserver-utils; need xwininfo x11-utils; need rsvg-convert librsvg2-bin
xfconfd=$(helper xfconf/xfconfd); [ -n "$xfconfd" ] || missing+=(xfconf)
notifyd=$(helper notifyd/xfce4-notifyd); [ -n "$notifyd" ] || missing+=(xfce4-notifyd)
if [ ${#missing[@]} -gt 0 ]; then
	echo "rig: there is no desktop here: apt-get install --no-install-recommends $(printf '%s\n' "${missing[@]}" | sort -u | paste -sd ' ')" >&2
	exit 69 # EX_UNAVAILABLE: a caller may tell it from a failure
fi
[ $# -gt 0 ] || { echo "usage: rig.sh COMMAND…" >&2; exit 64; }

dir=$(mktemp -d)
started=()
# shellcheck disable=SC2317 # called by the trap
finish() { # what was started here, newest first, and nothing else
	local i
	trap - EXIT
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do kill "${started[i]}" 2>/dev/null; done
	for ((i = 0; i < ${#started[@]}; i++)); do wait "${started[i]}" 2>/dev/null; done
	rm -rf "$dir" 2>/dev/null || { sleep 1; rm -rf "$dir"; }
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
run() { "$@" >>"$dir/desktop.log" 2>&1 & started+=($!); }
fail() { echo "rig: $1; what the desktop said:" >&2; tail -40 "$dir/desktop.log" >&2; exit 1; }
await() { # SECONDS WHAT COMMAND…
	local end=$((SECONDS + $1)) what=$2; shift 2
	until "$@"; do [ $SECONDS -lt $end ] || fail "$what did not come up"; sleep 0.05; done
}

# The caller's Go and Python stay within reach: only what a desktop writes moves.
if command -v go >/dev/null; then
	GOCACHE=$(go env GOCACHE) GOPATH=$(go env GOPATH) GOMODCACHE=$(go env GOMODCACHE)
	export GOCACHE GOPATH GOMODCACHE
fi
[ -n "${PYENV_ROOT:-}" ] || [ ! -d "$HOME/.pyenv" ] || export PYENV_ROOT=$HOME/.pyenv
export HOME=$dir/home XDG_CONFIG_HOME=$dir/home/.config XDG_STATE_HOME=$dir/home/.local/state XDG_DATA_HOME=$dir/home/.local/share XDG_CACHE_HOME=$dir/home/.cache
export XDG_RUNTIME_DIR=$dir/run NO_AT_BRIDGE=1 GSETTINGS_BACKEND=memory GDK_BACKEND=x11 XDG_CURRENT_DESKTOP=XFCE LC_ALL=C.UTF-8 VIVARIUM_RIG=1
unset WAYLAND_DISPLAY XAUTHORITY SESSION_MANAGER
[ "$scale" = 1 ] || export GDK_SCALE=$scale XCURSOR_SIZE=$((24 * scale))
mkdir -p "$HOME" "$XDG_CONFIG_HOME" "$XDG_STATE_HOME" "$XDG_DATA_HOME" "$XDG_CACHE_HOME"; mkdir -m 700 "$XDG_RUNTIME_DIR"
cp -r "$here/config/." "$XDG_CONFIG_HOME/"
sed -i "s/@SCALE@/$scale/g" "$XDG_CONFIG_HOME/xfce4/xfconf/xfce-perchannel-xml/"*.xml

exec 3>"$dir/display"
run Xvfb -displayfd 3 -nolisten tcp -noreset -screen 0 $((1000 * scale))x$((860 * scale))x24 -dpi $((96 * scale))
await 30 "the virtual display" test -s "$dir/display"
DISPLAY=:$(cat "$dir/display")
export DISPLAY
run dbus-daemon --session --nofork --nopidfile --address="unix:path=$dir/bus"
await 30 "the session bus" test -S "$dir/bus"
export DBUS_SESSION_BUS_ADDRESS=unix:path=$dir/bus

rsvg-convert --width $((1000 * scale)) --height $((860 * scale)) "$here/wallpaper.svg" --output "$dir/wallpaper.png"
display -window root "$dir/wallpaper.png" >>"$dir/desktop.log" 2>&1 # its exit status is 1 also when it went well
xsetroot -cursor_name left_ptr
run "$xfconfd"; run xfwm4 --replace; run "$notifyd"; run xfce4-panel --disable-wm-check
# shellcheck disable=SC2317 # called by await
owned() { dbus-send --session --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.NameHasOwner "string:$1" 2>/dev/null | grep -q 'boolean true'; }
await 60 "the notification daemon" owned org.freedesktop.Notifications
await 60 "the panel's tray" owned org.kde.StatusNotifierWatcher

"$@"
exit $?
