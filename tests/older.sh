#!/bin/sh
# SPDX-License-Identifier: MIT
# mimoboxfs where Landlock is of version LANDLOCK_ABI; see older_landlock.c.
LD_PRELOAD=$OLDER_LANDLOCK exec "$OLDER_MIMOBOXFS" "$@"
