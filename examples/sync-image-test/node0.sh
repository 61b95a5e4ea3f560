#!/bin/sh
# The master: opens the default barrier for three others and waits with them.
. "$EXPFILES/common.sh"
pause
mark 0
emulab-sync -i 3 || exit
collect 0 1 2
