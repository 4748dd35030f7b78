"""How a REST API wants to know who asks: one model for each way; secrets are references only."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lake.columns import Declaration
from lake.references import REFERENCE


def _reference(value: str) -> str:
    if not REFERENCE.search(value):
        raise ValueError("expected a reference such as ${env:NAME} or ${file:PATH}: a secret does not stand in a file")
    return value


Hidden = Annotated[str, AfterValidator(_reference)]


class ApiKey(Declaration):
    """A key in a header or in the query."""

    kind: Literal["api_key"]
    value: Hidden = Field(repr=False, description="the key, as a reference")
    header: str | None = Field(default=None, description="header that holds it")
    query: str | None = Field(default=None, description="query parameter that holds it")

    @model_validator(mode="after")
    def _one_place(self) -> "ApiKey":
        if (self.header is None) == (self.query is None):
            raise ValueError("got both or none of header and query, expected one of header, query")
        return self


class Basic(Declaration):
    """User and password (RFC 7617)."""

    kind: Literal["basic"]
    user: str = Field(description="the user; may be a reference")
    password: Hidden = Field(repr=False, description="the password, as a reference")


class Bearer(Declaration):
    """A token that does not change."""

    kind: Literal["bearer"]
    token: Hidden = Field(repr=False, description="the token, as a reference")


class ClientCredentials(Declaration):
    """A token from an OAuth 2 server (RFC 6749, 4.4), renewed before it ends and once when it is refused."""

    kind: Literal["oauth2_client_credentials"]
    token_url: str = Field(description="address that gives tokens")
    client_id: str = Field(description="the client; may be a reference")
    client_secret: Hidden = Field(repr=False, description="its secret, as a reference")
    scope: str | None = Field(default=None, description="scopes, separated by spaces")
    audience: str | None = Field(default=None, description="audience, for servers that ask for one")
    send: Literal["header", "body"] = Field(default="header", description="where client and secret are sent to token_url")


AUTHS = (ApiKey, Basic, Bearer, ClientCredentials)
Auth = Annotated[ApiKey | Basic | Bearer | ClientCredentials, Field(discriminator="kind")]
