"""Mail: what is sent (``messages``), how it reads (``templates``) and how it goes out (``sending``)."""
