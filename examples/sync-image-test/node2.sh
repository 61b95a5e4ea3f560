#!/bin/sh
# Opens the second barrier before anything else, without waiting: waiting here would be a deadlock.
. "$EXPFILES/common.sh"
emulab-sync -a -i 2 -n barrier2 || exit
pause
mark 2
emulab-sync || exit
collect 0 1 2
