#!/bin/sh
# `npm test`: gets the system programs that the tests need, then runs every check.
MUSTER_INSTALL_SYSTEM_PACKAGES=yes exec sh "$(dirname "$0")/check.sh" "$@"
