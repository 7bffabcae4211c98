from graytrace.api import measure_pair as measure_pair
from graytrace.api import phantom_pair as phantom_pair
from graytrace.api import segment as segment

__version__: str
