"""What happens to a request: Flask's part of the package.

The guard enforces what an endpoint requires, the context holds the identity of the caller, and
exceptions become the documented error envelope. Rules on tokens, keys and revocations belong to the
packages below.
"""

from .audit import (
    Access as Access,
    Binding as Binding,
    Route as Route,
    audit as audit,
    remember_decoration as remember_decoration,
)
from .callbacks import (
    Callbacks as Callbacks,
    ClaimRejected as ClaimRejected,
    current_user as current_user,
)
from .context import (
    EXTENSION as EXTENSION,
    Identity as Identity,
    current_app_jwt as current_app_jwt,
    current_consumer_jws as current_consumer_jws,
    current_request as current_request,
    entries_of as entries_of,
)
from .exceptions import (
    AppJWTMissing as AppJWTMissing,
    AuthenticationUnavailable as AuthenticationUnavailable,
    ConnectorAuthError as ConnectorAuthError,
    ConsumerJWSMissing as ConsumerJWSMissing,
    InvalidAppJWT as InvalidAppJWT,
    InvalidConsumerJWS as InvalidConsumerJWS,
    MissingParameter as MissingParameter,
    PreflightAnswered as PreflightAnswered,
    blueprint as blueprint,
    current_error_responses as current_error_responses,
)
from .readiness import is_ready as is_ready, warm_up as warm_up
from .recognition import recognise as recognise
from .reporting import report_failure as report_failure
from .responses import ErrorResponses as ErrorResponses
from .runtime import (
    KnownReasons as KnownReasons,
    LogLimit as LogLimit,
    Runtime as Runtime,
    current_runtime as current_runtime,
)
