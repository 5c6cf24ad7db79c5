"""python3 -m failover"""

import sys

from failover.cli import main

sys.exit(main())
