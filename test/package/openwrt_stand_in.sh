#!/bin/sh
# Stands in for OpenWrt's /etc/rc.common, /lib/functions.sh and procd's functions: it reads
# $UCI_FOLDER/wgsig, and writes down what it is asked for, one call a line, with tabs.
#
# usage: openwrt_stand_in.sh INIT-SCRIPT ACTION [ARGUMENT]...
# shellcheck disable=SC1090,SC3043

initscript=$1
action=$2
shift 2

# A settings file of UCI reads like a script of three commands.
config() {
	section=${2:-cfg$((count = ${count:-0} + 1))}
	sections="${sections-} $section"
	eval "type_$section=\$1"
}

option() {
	eval "value_${section}_$1=\$2"
}

list() {
	local length

	eval "length=\${length_${section}_$1:-0}"
	length=$((length + 1))
	eval "length_${section}_$1=$length; item_${section}_$1_$length=\$2"
}

config_load() {
	unset sections
	. "$UCI_FOLDER/$1"
}

config_get() {
	eval "$1=\${value_$2_$3-\${4-}}"
}

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; *) $1=0 ;; esac"
}

config_foreach() {
	local each kind callback=$1 wanted=$2

	shift 2
	for each in $sections; do
		eval "kind=\$type_$each"
		[ "$kind" != "$wanted" ] || "$callback" "$each" "$@"
	done
}

config_list_foreach() {
	local each=1 value length

	eval "length=\${length_$1_$2:-0}"
	while [ "$each" -le "$length" ]; do
		eval "value=\$item_$1_$2_$each"
		# As OpenWrt does: the item comes first, then what else was given.
		"$3" "$value" "$4"
		each=$((each + 1))
	done
}

call() {
	local each

	printf '%s' "$1"
	shift
	for each; do printf '\t%s' "$each"; done
	echo
}

procd_open_instance() { call instance "$@"; }
procd_close_instance() { call close "$@"; }
procd_set_param() { call set "$@"; }
procd_append_param() { call append "$@"; }
procd_add_reload_trigger() { call trigger "$@"; }
procd_send_signal() { call signal "$@"; }
logger() { call logger "$@"; }
mkdir() { call mkdir "$@" "$(umask)"; }

. "$initscript"

case $action in
start) start_service && service_triggers ;;
*) "$action" "$@" ;;
esac
