"""The files of this repository, read for what they say, without running or deploying anything.

files           where the repository is, and which files are checked in
git             runs Git without the caller's GIT_ variables
cloudformation  the template, with its functions resolved
terraform       single facts of the Terraform files
openapi         the API's description
markdown        the documents; `documented_commands`, what they tell people to type
imports         what a Python module imports
makefile        what `make` offers
"""
