"""A Ray cluster of two machines on this one, as a process: prints its address, obeys its stdin.

`python -m tests.jobs.ray_cluster` starts it. `kill` ends the second machine without a word, as a
power cut would; `add` brings another; the end of stdin ends everything.
"""

import json
import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster

SMALL = 80 << 20  # bytes, the least that Ray takes
# A machine that is gone is missed after two seconds, not half a minute; and the work, which Ray has
# give way to everything else, does not wait for whatever this machine is busy with.
SOON = {
    "worker_niceness": 0,
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 4,
}


def main() -> None:
    machine = {"num_cpus": 1, "object_store_memory": SMALL, "include_dashboard": False}
    cluster = Cluster(True, head_node_args={**machine, "_system_config": SOON})
    second = cluster.add_node(**machine)
    said = sys.stdout
    sys.stdout = sys.stderr
    print(json.dumps({"address": cluster.address}), file=said, flush=True)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(second, allow_graceful=False)
        elif line.strip() == "add":
            second = cluster.add_node(**machine)
        print(json.dumps({"done": line.strip()}), file=said, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
