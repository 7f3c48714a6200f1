"""All diagrams by their file names in architecture/."""

from drawings.backend import BACKEND
from drawings.frontend import FRONTEND

PICTURES = {
    "orderprocessingsystem-backend.svg": BACKEND,
    "orderprocessingsystem-frontend.svg": FRONTEND,
}
