"""The registry in git and DVC: who is champion, who was, and why; for pipelines and for people."""
