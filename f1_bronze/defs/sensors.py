"""The sensors by name; each is declared in a module of its own.

Dagster's concept: https://docs.dagster.io/guides/automate/sensors
"""

from f1_bronze.defs.automation.calendar_sensor import openf1_calendar
from f1_bronze.defs.automation.reconcile import openf1_reopened
from f1_bronze.defs.outbound.alert_sensor import bronze_alerts
from f1_bronze.defs.outbound.lineage_sensors import openlineage_consumer, openlineage_events
from f1_bronze.defs.outbound.metrics_sensor import cloudwatch_metrics

SENSORS = (
    openf1_calendar,
    openf1_reopened,
    cloudwatch_metrics,
    openlineage_events,
    openlineage_consumer,
    bronze_alerts,
)
