"""python3 -m bench_dns"""

import sys

from bench_dns.cli import main

sys.exit(main())
