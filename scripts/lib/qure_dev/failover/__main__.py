"""python3 -m qure_dev.failover"""

import sys

from qure_dev.failover.cli import main

sys.exit(main())
