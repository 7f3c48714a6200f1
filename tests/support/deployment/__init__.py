"""What builds and deploys the system for a test, and the deployed system as a test sees it.

package         the Lambda zip
emulator        an emulator of AWS of a test's own
cloudformation  the backend by the commands of the AWS CLI
terraform       a Terraform folder, planned and applied; `frontend`, the frontend's
by_hand         a local stack with next to no backend, in seconds
stack           the system that a local stack has deployed: queues, table, logs, alarms, mailbox
api             its HTTP API, byte for byte
subscription    what a topic tells its subscribers
"""
