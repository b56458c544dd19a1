#!/bin/bash
# A task of HyperQueue: the job `$1` of an array of cells. Filled in by `xstilts submit --engine hq`; a site's own needs
# (modules, a scratch disk) belong into this file. Workers, and so partitions and accounts, are HyperQueue's own matter.
cd {{ root }} || exit 1
{%- if not container %}
export PATH={{ path }}:"$PATH"
{%- endif %}

told() { kill -TERM "$child" 2>/dev/null; }
trap told TERM INT
{{ command }} &
child=$!
while wait "$child"; code=$?; kill -0 "$child" 2>/dev/null; do :; done # a signal ends `wait`, not what it waits for

# 75: it was told to end, as its worker is. It must not look done: the task of a lost worker goes to another one.
[ "$code" != 75 ] || sleep 600
# HyperQueue ends all that waits for a failed task, the last one, which records, too. The markers tell what failed.
exit 0
