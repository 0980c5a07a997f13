-- Run once, on an empty volume: a role and a database each. Passwords come from the environment, so that no argument and no file has them.
\getenv sallyport SALLYPORT_DB_PASSWORD
\getenv zitadel ZITADEL_DB_PASSWORD
\getenv openfga OPENFGA_DB_PASSWORD
create role sallyport login password :'sallyport';
create role zitadel login password :'zitadel';
create role openfga login password :'openfga';
create database sallyport owner sallyport;
create database zitadel owner zitadel;
create database openfga owner openfga;
