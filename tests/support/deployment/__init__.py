"""Deployments for tests, and clients of the deployed systems.

package         the Lambda zip
emulator        an emulator of AWS
cloudformation  the backend, deployed with the AWS CLI
terraform       a Terraform folder, planned and applied
frontend        the frontend's variables and user data
by_hand         a local stack with a minimal backend
stack           the backend that a local stack deployed
api             a client for the HTTP API
subscription    a queue subscribed to a topic
"""
