"""Names that scenarios speak of."""

from tests.lab.world import TENANT

BOOTSTRAP = f"{TENANT}.bootstrap.msappproxy.net"
REGISTRATION = f"{TENANT}.registration.msappproxy.net"
RELAY = "cwap-eur1-weur2.servicebus.windows.net"
OTHER_RELAY = "cwap-asia1-seas3.servicebus.windows.net"
LOGIN = "login.microsoftonline.com"
LOGIN_WINDOWS = "login.windows.net"
APP_PROXY = "*.msappproxy.net"
SERVICE_BUS = "*.servicebus.windows.net"
CDN = "aadcdn.msauth.net"
