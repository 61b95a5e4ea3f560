#!/bin/sh
# Is at both barriers, one after the other.
. "$EXPFILES/common.sh"
emulab-sync || exit
sleep 1
mark 3
emulab-sync -n barrier2 || exit
collect 3 4
