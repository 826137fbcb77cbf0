"""A server's metrics, as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families


def read_metrics(client):
    """Values by name and labels."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
