"""What a 95 % interval of something normally distributed is."""

from __future__ import annotations

HALF_INTERVAL_SES = 1.96  # half of it in standard errors, or of 95 % of the values in SDs: normal quantile of 0.975
