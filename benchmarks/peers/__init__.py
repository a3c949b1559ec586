"""The same work as others would write it: programs that know nothing of this project.

Each takes the API's address, a folder, seasons and session types (`qualifying,race` or `all`), and
stores the six kinds of records of these sessions as Parquet. None checks, corrects or remembers
anything. Past a limit each waits as long as the API says, and asks again.
"""
