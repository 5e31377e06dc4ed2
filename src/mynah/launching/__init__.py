"""Commands as jobs of a cluster: submitted, returned from at once, listed, followed, cancelled."""
