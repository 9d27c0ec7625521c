/*
 * The version of both programs; the build reads it from here as well.
 */

#ifndef _KAIROS_VERSION_H_INCLUDED_
#define _KAIROS_VERSION_H_INCLUDED_


#define KAIROS_VERSION  "0.1.0"


#endif /* _KAIROS_VERSION_H_INCLUDED_ */
