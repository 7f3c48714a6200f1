"""Read the files of this repository, without running or deploying anything.

files           where the repository is, and which files are checked in
git             runs Git without the caller's GIT_ variables
cloudformation  the template, with its functions resolved
terraform       values in the Terraform files
openapi         the API's description
markdown        the documents; `documented_commands` reads the commands in them
imports         the imports of a Python module
makefile        the targets of `make`
"""
