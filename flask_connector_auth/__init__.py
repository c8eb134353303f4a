"""Resource-server authentication for Flask: AppJWT and ConsumerJWS."""
