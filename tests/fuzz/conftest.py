"""Nothing here is for pytest: Atheris runs it."""

collect_ignore = ["device_files.py"]
