@echo off
rem To be run by cmd.exe: @BIN@\activate.bat
if defined _OLD_ENVIRONMENT_PATH call "%~dp0deactivate.bat"
for %%i in ("%~dp0..") do set "VIRTUAL_ENV=%%~fi"
set "VIRTUAL_ENV_PROMPT=@PROMPT@"
set "_OLD_ENVIRONMENT_PATH=%PATH%"
set "PATH=%VIRTUAL_ENV%\@BIN@;%PATH%"
if defined PYTHONHOME set "_OLD_ENVIRONMENT_HOME=%PYTHONHOME%"
set PYTHONHOME=
if not defined PROMPT set PROMPT=$P$G
if not defined VIRTUAL_ENV_DISABLE_PROMPT set "_OLD_ENVIRONMENT_PROMPT=%PROMPT%"
if not defined VIRTUAL_ENV_DISABLE_PROMPT set "PROMPT=(@PROMPT@) %PROMPT%"
