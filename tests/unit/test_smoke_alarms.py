"""The alarms that the smoke test accepts in a deployment without orders."""

from smoke.system import lacking_data


def test_smoke_test_accepts_missing_data_that_an_alarm_ignores() -> None:
    alarms = [
        {"AlarmName": name, "StateValue": state, "TreatMissingData": treatment}
        for name, state, treatment in [
            ("orders-dlq", "INSUFFICIENT_DATA", "ignore"),
            ("api-5xx", "INSUFFICIENT_DATA", "notBreaching"),
            ("api-4xx", "OK", "notBreaching"),
        ]
    ]
    assert lacking_data(alarms) == ["api-5xx"]
