#!/bin/sh
. "$EXPFILES/common.sh"
pause
mark 1
emulab-sync || exit
collect 0 1 2
