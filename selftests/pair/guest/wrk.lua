-- SPDX-License-Identifier: GPL-2.0
--
-- What wrk says at its end, in the words of clients.sh.

done = function(summary, latency, requests)
	local errors = summary.errors
	local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout

	io.write(string.format("figures sent=%d received=%d rate=%.1f", summary.requests + failed,
		summary.requests, summary.requests * 1e6 / summary.duration))
	for name, percent in pairs({p50 = 50, p90 = 90, p99 = 99, p999 = 99.9}) do
		io.write(string.format(" %s=%d", name, latency:percentile(percent)))
	end
	io.write(string.format(" max=%d mean=%.1f\n", latency.max, latency.mean))
end
