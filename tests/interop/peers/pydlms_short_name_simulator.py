"""The simulator of pydlms-client, which has the services of short names and by itself offers none.

The arguments are those of ``pydlms simulate``.
"""

import sys
import threading

from pydlms.apdu.xdlms import Conformance
from pydlms.simulator import _parser, meter_from_args, serve

arguments = _parser().parse_args(sys.argv[1:])
meter = meter_from_args(arguments)
meter.conformance = Conformance.default_sn()
serve(meter, arguments.host, arguments.port, arguments.hdlc)
threading.Event().wait()
