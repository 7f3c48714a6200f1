"""The backend, as terraform-backend and cloudformation/ deploy it."""

from drawings.model import Arrow, Box, Category, Component, Flow, Frame, Picture


def _function(name: str, at: tuple[float, float]) -> Component:
    return Component(name, "Lambda", "function", Category.COMPUTE, at, (f"module.{name}.aws_lambda_*",))


BACKEND = Picture(
    title="Order processing: the backend",
    subtitle="Each accepted order is stored once and announced; a failure raises an alarm.",
    folder="terraform-backend",
    columns=8.6,
    rows=3.15,
    components={
        "customers": Component("customers", "page or program", "people", Category.OUTSIDE, (0, 1)),
        "api": Component(
            "HTTP API",
            "API Gateway",
            "api",
            Category.NETWORK,
            (1.25, 1),
            ("aws_apigatewayv2_*.orders", "aws_apigatewayv2_authorizer.jwt", "aws_apigatewayv2_stage.default"),
        ),
        "submission": _function("submission", (2.55, 1)),
        "status": _function("status", (2.55, 0)),
        "orders": Component("orders", "SQS queue", "queue", Category.MESSAGING, (3.5, 1), ("aws_sqs_queue.orders",)),
        "processing": _function("processing", (4.45, 1)),
        "table": Component(
            "orders", "DynamoDB table", "table", Category.DATABASE, (5.4, 1), ("aws_dynamodb_table.orders",)
        ),
        "notification": _function("notification", (6.4, 1)),
        "order_completed": Component(
            "order-completed", "SNS topic", "topic", Category.MESSAGING, (7.5, 1), ("aws_sns_topic.order_completed",)
        ),
        "subscribers": Component("subscribers", "e-mail, queues, …", "mail", Category.OUTSIDE, (8.6, 1)),
        "orders_dlq": Component(
            "orders-dlq", "SQS queue", "dead-letters", Category.MESSAGING, (3.5, 2.1), ("aws_sqs_queue.orders_dlq",)
        ),
        "notifications_dlq": Component(
            "notifications-dlq",
            "SQS queue",
            "dead-letters",
            Category.MESSAGING,
            (6.4, 2.1),
            ("aws_sqs_queue.notifications_dlq",),
        ),
        "alarms": Component(
            "alarms, dashboard",
            "CloudWatch",
            "alarm",
            Category.MONITORING,
            (6.4, 3.15),
            (
                "module.monitoring.aws_cloudwatch_metric_alarm.this",
                "module.monitoring.aws_cloudwatch_dashboard.this",
            ),
        ),
        "alerts": Component("alerts", "SNS topic", "topic", Category.MESSAGING, (7.5, 3.15), ("aws_sns_topic.alerts",)),
        "person": Component("engineer", "on call, e-mail", "mail", Category.OUTSIDE, (8.6, 3.15)),
    },
    arrows=(
        Arrow("customers", "api", Flow.MAIN, "HTTPS"),
        Arrow(
            "api",
            "submission",
            Flow.MAIN,
            "POST /orders",
            resources=("aws_apigatewayv2_*.submission", "aws_lambda_permission.submission"),
        ),
        Arrow("submission", "orders", Flow.MAIN, "queues"),
        Arrow("orders", "processing", Flow.MAIN, "by ten", resources=("aws_lambda_event_source_mapping.orders",)),
        Arrow("processing", "table", Flow.MAIN, "inserts"),
        Arrow(
            "table",
            "notification",
            Flow.MAIN,
            "stream",
            resources=("aws_lambda_event_source_mapping.stored_orders",),
        ),
        Arrow("notification", "order_completed", Flow.MAIN, "announces"),
        Arrow(
            "order_completed",
            "subscribers",
            Flow.MAIN,
            resources=("aws_sns_topic_subscription.order_completed_email",),
        ),
        Arrow(
            "api",
            "status",
            Flow.SIDE,
            "GET /orders/{id}",
            via=((1.25, 0),),
            resources=("aws_apigatewayv2_*.status", "aws_lambda_permission.status"),
        ),
        Arrow("status", "table", Flow.SIDE, "reads: PROCESSED or PENDING", via=((5.4, 0),)),
        Arrow("orders", "orders_dlq", Flow.FAILURE, "after five", "receives"),
        Arrow("notification", "notifications_dlq", Flow.FAILURE, "retries", "exhausted"),
        Arrow("orders_dlq", "alarms", Flow.FAILURE, "messages in the queue", via=((3.5, 3.15),)),
        Arrow("notifications_dlq", "alarms", Flow.FAILURE),
        Arrow("alarms", "alerts", Flow.FAILURE),
        Arrow(
            "alerts",
            "person",
            Flow.FAILURE,
            resources=("aws_sns_topic_subscription.alerts_email", "aws_sns_topic_subscription.alerts_https"),
        ),
    ),
    boxes=(Box("AWS: deployed by terraform-backend or CloudFormation", Frame.ACCOUNT, (0.82, -0.5), (8.07, 3.72)),),
    legend={
        Flow.MAIN: "path of an order",
        Flow.SIDE: "status request",
        Flow.FAILURE: "failure",
    },
    omitted={
        "aws_cloudwatch_log_group": "one per function, and one for the API",
        "aws_cloudwatch_log_metric_filter": "counts log events for alarms and dashboard",
        "aws_iam_role": "one per function",
        "aws_iam_role_policy": "the arrows of a function are its permissions",
        "aws_route53_record": "resolves the API's domain, if it has one",
        "aws_sns_topic_policy": "allows the arrow from the alarms",
    },
)
