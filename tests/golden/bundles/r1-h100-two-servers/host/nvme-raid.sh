#!/usr/bin/env bash
# Put several empty NVMe drives together as one volume for weights.
#
#   nvme-raid.sh [--level 0|10] [--needs GIB] [--yes] DEVICE...
#
# Without --yes it only shows what it would do. Devices that carry anything are refused, always: wipe them by hand if
# you are sure. RAID 0 is fastest and loses everything with the first drive that fails; RAID 10 survives one and gives
# half the room.
set -euo pipefail

NAME=models
ARRAY=/dev/md/$NAME
MOUNT=/var/lib/models
UNIT=var-lib-models.mount

level=0
needs_gib=0
yes=no
devices=()

fail() {
  printf 'nvme-raid.sh: %s\n' "$@" >&2
  exit 1
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --level | --needs)
      [[ $# -ge 2 ]] || fail "$1 needs a value."
      if [[ $1 == --level ]]; then level=$2; else needs_gib=$2; fi
      shift 2
      ;;
    --yes) yes=yes && shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 0 ;;
    -*) fail "unknown option $1" ;;
    *) devices+=("$1") && shift ;;
  esac
done

[[ $level == 0 || $level == 10 ]] || fail "--level $level: allowed are 0 and 10."
[[ $needs_gib =~ ^[0-9]+$ ]] || fail "--needs $needs_gib: give a whole number of GiB."
least=2
[[ $level == 10 ]] && least=4
[[ ${#devices[@]} -ge $least ]] ||
  fail "RAID $level needs at least $least devices, ${#devices[@]} given. List them: lsblk -d"
for tool in lsblk wipefs mdadm mkfs.xfs; do
  command -v "$tool" >/dev/null || fail "no $tool. Install: apt-get install util-linux mdadm xfsprogs"
done
[[ ! -e $ARRAY ]] || fail "$ARRAY is there already."

# Everything is looked at before anything is touched.
seen=" "
smallest=
for device in "${devices[@]}"; do
  real=$(readlink -f -- "$device") || fail "$device: no such device."
  [[ $seen != *" $real "* ]] || fail "$device is named twice."
  seen+="$real "
  kind=$(lsblk --nodeps --noheadings --output TYPE -- "$real" 2>/dev/null | tr -d ' ') || kind=
  [[ $kind == disk ]] || fail "$device is no whole disk (${kind:-not a block device})."
  parts=$(lsblk --noheadings --list --output NAME -- "$real" | wc -l) || fail "$device could not be listed."
  [[ $parts -eq 1 ]] ||
    fail "$device has partitions or is in use:" "$(lsblk --output NAME,TYPE,FSTYPE,MOUNTPOINT -- "$real")"
  mounted=$(lsblk --nodeps --noheadings --output MOUNTPOINT -- "$real" | tr -d ' ') ||
    fail "$device could not be listed."
  [[ -z $mounted ]] || fail "$device is mounted at $mounted."
  # wipefs also sees a signature whose partition table was lost; a probe that fails is no empty device.
  signatures=$(wipefs --no-act --parsable --noheadings -- "$real") || fail "$device could not be probed."
  [[ -z $signatures ]] || fail "$device carries data:" "$signatures" \
    "If nothing on it is needed any more, wipe it by hand (this cannot be undone): wipefs --all $device"
  bytes=$(lsblk --nodeps --noheadings --bytes --output SIZE -- "$real" | tr -d ' ') || bytes=
  [[ $bytes =~ ^[0-9]+$ ]] || fail "$device does not tell its size."
  if [[ -z $smallest || $bytes -lt $smallest ]]; then smallest=$bytes; fi
done

count=${#devices[@]}
room_gib=$((smallest * count / (level == 10 ? 2 : 1) / 1073741824))
[[ $room_gib -ge $needs_gib ]] ||
  fail "$count devices give $room_gib GiB as RAID $level; the weights need $needs_gib GiB."

echo "RAID $level of $count devices, $room_gib GiB, mounted at $MOUNT:"
lsblk --nodeps --output NAME,MODEL,SERIAL,SIZE -- "${devices[@]}"
if [[ $level == 0 ]]; then
  echo "WARNING: RAID 0. One drive of $count that fails loses EVERYTHING on it. Keep only what can be fetched again,"
  echo "such as weights. --level 10 (four drives or more) survives one, with half the room and half the write speed."
fi
create=(mdadm --create "$ARRAY" --name="$NAME" --level="$level" --raid-devices="$count" --run -- "${devices[@]}")
format=(mkfs.xfs -L "$NAME" "$ARRAY")
echo "Commands:"
printf '  %s\n' "${create[*]}" "${format[*]}" "mdadm --detail --scan $ARRAY >> /etc/mdadm/mdadm.conf" \
  "systemctl enable --now $UNIT"

if [[ $yes == no ]]; then
  echo "Nothing was changed. Run it again with --yes to do this."
  exit 0
fi
[[ $(id -u) -eq 0 ]] || fail "--yes needs root."

"${create[@]}"
"${format[@]}"
configuration=${MDADM_CONF:-/etc/mdadm/mdadm.conf}
mkdir -p -- "$(dirname -- "$configuration")" "${MODELS:-$MOUNT}"
mdadm --detail --scan "$ARRAY" >>"$configuration"
systemctl daemon-reload
systemctl enable --now "$UNIT"
echo "Done: $(df --human-readable --output=size,target -- "${MODELS:-$MOUNT}" | tail -1)"
