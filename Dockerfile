# The image of Astro (`astro dev start`, `astro deploy`). docker compose has its own: deploy/Dockerfile.
# The runtime's ONBUILD steps install packages.txt and requirements.txt, and copy the project.
FROM astrocrpublic.azurecr.io/runtime:3.3-8

# The project's root is there already; the plugins folder makes Airflow's form know our connection type.
ENV PYTHONPATH=/usr/local/airflow:/usr/local/airflow/plugins
