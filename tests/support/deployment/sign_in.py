"""Customers who sign in with the emulator's Cognito."""

from typing import Any

PASSWORD = "Banana-2025!"


class SignIn:
    """A user pool whose customers sign in to applications and receive tokens."""

    def __init__(self, cognito: Any, name: str) -> None:
        self._cognito = cognito
        self.pool = cognito.create_user_pool(PoolName=name)["UserPool"]["Id"]
        self.issuer = f"https://cognito-idp.{cognito.meta.region_name}.amazonaws.com/{self.pool}"
        self.customer_id = self.add_customer("customer")

    def add_customer(self, name: str) -> str:
        """Add a customer and return the ID in the tokens' claim `sub`."""
        created = self._cognito.admin_create_user(UserPoolId=self.pool, Username=name, MessageAction="SUPPRESS")
        self._cognito.admin_set_user_password(UserPoolId=self.pool, Username=name, Password=PASSWORD, Permanent=True)
        attributes = {each["Name"]: each["Value"] for each in created["User"]["Attributes"]}
        return str(attributes["sub"])

    def application(self, name: str) -> str:
        created = self._cognito.create_user_pool_client(
            UserPoolId=self.pool, ClientName=name, ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
        )
        return str(created["UserPoolClient"]["ClientId"])

    def token(self, application: str, kind: str = "IdToken", customer: str = "customer") -> str:
        signed_in = self._cognito.admin_initiate_auth(
            UserPoolId=self.pool,
            ClientId=application,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": customer, "PASSWORD": PASSWORD},
        )
        return str(signed_in["AuthenticationResult"][kind])
