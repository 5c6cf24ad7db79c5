"""python3 -m qure_dev.suites"""

import sys

from qure_dev.suites.cli import main

sys.exit(main())
