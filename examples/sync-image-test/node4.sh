#!/bin/sh
. "$EXPFILES/common.sh"
mark 4
emulab-sync -n barrier2 || exit
collect 3 4
