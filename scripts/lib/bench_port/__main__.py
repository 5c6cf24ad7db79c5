"""python3 -m bench_port"""

import sys

from bench_port.cli import main

sys.exit(main())
