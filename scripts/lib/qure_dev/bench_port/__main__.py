"""python3 -m qure_dev.bench_port"""

import sys

from qure_dev.bench_port.cli import main

sys.exit(main())
