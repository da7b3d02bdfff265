"""Entry points of the functions on AWS, one file each. They only translate; what is done stands in the core."""
