"""python3 -m qure_dev.bench_dns"""

import sys

from qure_dev.bench_dns.cli import main

sys.exit(main())
