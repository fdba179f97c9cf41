"""``make science``: every room's models on days they have not seen; ``ROOM=recommending`` for one room."""

from __future__ import annotations

import sys

from tests.science import allocation, channels, deciding, held_out, off_policy, recommending, send_hours

ROOMS = {
    "allocation": allocation.main,
    "channels": channels.main,
    "deciding": deciding.main,
    "held_out": held_out.main,
    "off_policy": off_policy.main,
    "recommending": recommending.main,
    "send_hours": send_hours.main,
}


def main() -> int:
    chosen = sys.argv[1:] or list(ROOMS)
    unknown = [name for name in chosen if name not in ROOMS]
    if unknown:
        print(f"no room {', '.join(unknown)}: there are {', '.join(ROOMS)}", file=sys.stderr)
        return 2
    sys.argv[1:] = []
    return max(int(ROOMS[name]() or 0) for name in chosen)


if __name__ == "__main__":
    sys.exit(main())
